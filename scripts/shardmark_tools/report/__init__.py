# SPDX-License-Identifier: Apache-2.0
"""Tables, charts and fitted laws of many results. May use results."""
