# SPDX-License-Identifier: Apache-2.0
"""A suite over many combinations. May use results and launch."""
