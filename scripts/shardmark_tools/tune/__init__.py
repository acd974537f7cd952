# SPDX-License-Identifier: Apache-2.0
"""Advice that was tried: remedies for what a run says of itself, in pairs with the suite as it is."""
