# SPDX-License-Identifier: Apache-2.0
"""Starting the command and watching what was started. Uses no other room."""
