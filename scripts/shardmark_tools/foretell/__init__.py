# SPDX-License-Identifier: Apache-2.0
"""What a larger checkpoint or world will take, by laws fitted to smaller ones, and whether that came true."""
