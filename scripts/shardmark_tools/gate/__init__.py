# SPDX-License-Identifier: Apache-2.0
"""Did checkpoints become slower? May use results and launch."""
