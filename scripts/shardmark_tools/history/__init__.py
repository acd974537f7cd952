# SPDX-License-Identifier: Apache-2.0
"""What the same benchmarks did night after night, and when they changed. May use results, gate and report."""
