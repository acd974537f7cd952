# SPDX-License-Identifier: Apache-2.0
"""Checkpoints seen from outside. May use launch."""
