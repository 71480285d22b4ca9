import os

# Read when main is imported.
os.environ["LIVE_INTERVAL"] = "0.05"
