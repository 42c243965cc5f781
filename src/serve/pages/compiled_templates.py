"""Compiled templates, kept between runs: to compile those of a report takes a quarter second."""

from __future__ import annotations

from jinja2.bccache import Bucket, BytecodeCache

from ...support.disk_cache import read_cache, write_cache


class CompiledTemplates(BytecodeCache):
    """Jinja's bytecode in the user's cache folder; by the text of a template, so never stale."""

    def load_bytecode(self, bucket: Bucket) -> None:
        """Fills the bucket where its template was compiled before."""
        kept = read_cache(_key(bucket))
        if kept is not None:
            bucket.bytecode_from_string(kept)

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keeps what the bucket holds."""
        write_cache(_key(bucket), bucket.bytecode_to_string())


def _key(bucket: Bucket) -> str:
    return f"template {bucket.key} {bucket.checksum}"
