# SPDX-License-Identifier: GPL-2.0-or-later
"""Helpers of the integration tests; README.md beside conftest.py introduces them."""
