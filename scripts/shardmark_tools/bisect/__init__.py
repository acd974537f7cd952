# SPDX-License-Identifier: Apache-2.0
"""Which of many steps between two states made a benchmark slower."""
