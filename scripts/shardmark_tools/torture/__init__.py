# SPDX-License-Identifier: Apache-2.0
"""Do checkpoints survive on this storage: attacks on real ones, and the score."""
