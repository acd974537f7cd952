# SPDX-License-Identifier: Apache-2.0
"""Strategies side by side. May use results."""
