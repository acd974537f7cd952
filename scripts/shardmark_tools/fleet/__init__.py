# SPDX-License-Identifier: Apache-2.0
"""The same suite on every node: which one stands out, by what phase, and all of them in one picture."""
