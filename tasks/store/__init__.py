"""The store: where every result is kept, on `file://` or `s3://`, and the one way to write and read it.

A result is a folder `<store>/<stage>/<key>/` whose `manifest.json` was written last and vouches for the size
and SHA-256 of every file. A folder without a valid manifest does not exist: nothing is reused or resumed from
bytes that no manifest vouches for, and every byte that is read back is hashed.

    manifest.py   what vouches for a folder          local.py   objects as files of this machine
    folders.py    Store: commit, fetch, inspect      s3.py      objects in an S3 bucket
    lease.py      two runs at once on one key        faults.py  retries, and one clear error
    care.py       verify and sweep                   parallel.py  work on a few threads
    credentials.py  keys, before a run              s3_*.py    its client, requests and parts
"""
