# SPDX-License-Identifier: Apache-2.0
"""Result folders: reading, checking, the words of their schema. Uses no other room."""
