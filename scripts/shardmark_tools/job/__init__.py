# SPDX-License-Identifier: Apache-2.0
"""Job files: the sharding of a real job, read from its checkpoints."""
