"""The sections of the screen: each module turns its part of the contents into lines; `panel` alone paints them."""
