# SPDX-License-Identifier: Apache-2.0
"""Other programs that store training state, as `shardmark run` starts them beside its own cases: one file an adapter."""
