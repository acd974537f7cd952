# SPDX-License-Identifier: Apache-2.0
"""Checkpoints seen from outside, and damaged on purpose. May use launch."""
