# SPDX-License-Identifier: Apache-2.0
"""Checkpoints of one format made into another's, streamed. May use checkpoint and job."""
