"""Bundles: tar files with metadata, where they are stored, and the archive of their files.

store.py      a folder or an S3 bucket, in one small interface
s3.py         the S3 half of it
tarstream.py  reads a tar while it arrives, in constant memory
manifest.py   what the tar has been found to hold, stored beside it
archive.py    the files of ingested bundles: temporary names, publishing, taking back
"""
