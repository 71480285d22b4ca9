"""What installed plugins add, for type checkers: that of the extras of the distribution `slimeweb`.

`slime types` writes stubs beside these modules for environments with other plugins; type checkers prefer those.
"""
