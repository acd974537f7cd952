# SPDX-License-Identifier: Apache-2.0
"""Planners over virtual world sizes. May use results, launch and report."""
