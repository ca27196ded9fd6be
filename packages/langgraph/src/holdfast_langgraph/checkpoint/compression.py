"""Compression of blobs by Zstandard (RFC 8878), with a dictionary of what frames most messages.

The field names around a short message are longer than its words, and so little data repeats
nothing. `DICTIONARY` holds messages as LangGraph's serializer writes them; with it, messages take
two thirds of what they take without.
"""

from __future__ import annotations

from zstandard import (
    DICT_TYPE_RAWCONTENT,
    FORMAT_ZSTD1_MAGICLESS,
    ZstdCompressionDict,
    ZstdCompressionParameters,
    ZstdCompressor,
    ZstdDecompressor,
)

MARK = "zstd:"
LEAST = 192  # what is shorter stays as it is
# What is shorter than this is compressed at a fast level, which leaves a third more in a third of
# the time. A message in a list is compressed again with its run.
SHORT = 640
USUAL, FAST = 1, -1

# Another dictionary needs another mark: a blob can only be read with the one it was written with.
DICTIONARY = (
    b"\xc7\x88\x05\x94\xbelangchain_core.messages.system\xadSystemMessage\x86\xa7content\xa0"
    b"\xb1additional_kwargs\x80\xb1response_metadata\x80\xa4type\xa6system\xa4name\xc0\xa2id\xc0"
    b"\xb3model_validate_json"
    b"\xc7\xd3\x05\x94\xbclangchain_core.messages.tool\xabToolMessage\x89\xa7content\xa0"
    b"\xb1additional_kwargs\x80\xb1response_metadata\x80\xa4type\xa4tool\xa4name\xa0\xa2id\xd9$"
    b"\xactool_call_id\xa5call_\xa8artifact\xc0\xa6status\xa7success\xb3model_validate_json"
    b"\xc8\x01\xba\x05\x94\xbalangchain_core.messages.ai\xa9AIMessage\x89\xa7content\xa0"
    b"\xb1additional_kwargs\x80\xb1response_metadata\x85\xabtoken_usage\x83\xb1completion_tokens\x01"
    b"\xadprompt_tokens\x01\xactotal_tokens\x02\xaemodel_provider\xa6openai\xaamodel_name\xa0"
    b"\xadfinish_reason\xa4stop\xa8logprobs\xc0\xa4type\xa2ai\xa4name\xc0\xa2id\xc0\xaatool_calls"
    b"\x91\x84\xa4name\xa0\xa4args\x80\xa2id\xa5call_\xa4type\xa9tool_call\xb2invalid_tool_calls"
    b"\x90\xaeusage_metadata\x85\xacinput_tokens\x01\xadoutput_tokens\x01\xactotal_tokens\x02"
    b"\xb3input_token_details\x81\xaacache_read\x00\xb4output_token_details\x81\xa9reasoning\x00"
    b"\xb3model_validate_json"
    b"\xc7\xac\x05\x94\xbalangchain_core.messages.ai\xa9AIMessage\x89\xa7content\xa0"
    b"\xb1additional_kwargs\x80\xb1response_metadata\x80\xa4type\xa2ai\xa4name\xc0\xa2id\xc0"
    b"\xaatool_calls\x90\xb2invalid_tool_calls\x90\xaeusage_metadata\xc0\xb3model_validate_json"
    b"\xc7\xaa\x05\x94\xbdlangchain_core.messages.human\xacHumanMessage\x86\xa7content\xa0"
    b"\xb1additional_kwargs\x80\xb1response_metadata\x80\xa4type\xa5human\xa4name\xc0\xa2id\xd9$"
    b"\xb3model_validate_json"
)

# A compressor serves one thread at a time. Lists lend them out without a lock, which a fork might
# leave held forever.
_compressors: dict[int, list[ZstdCompressor]] = {USUAL: [], FAST: []}
_decompressors: list[ZstdDecompressor] = []


def _compressor(level: int) -> ZstdCompressor:
    parameters = ZstdCompressionParameters.from_level(
        level, dict_size=len(DICTIONARY), format=FORMAT_ZSTD1_MAGICLESS, write_dict_id=False
    )
    words = ZstdCompressionDict(DICTIONARY, dict_type=DICT_TYPE_RAWCONTENT)
    words.precompute_compress(compression_params=parameters)
    return ZstdCompressor(dict_data=words, compression_params=parameters)


def _decompressor() -> ZstdDecompressor:
    words = ZstdCompressionDict(DICTIONARY, dict_type=DICT_TYPE_RAWCONTENT)
    return ZstdDecompressor(dict_data=words, format=FORMAT_ZSTD1_MAGICLESS)


def compress(data: bytes) -> bytes:
    """Compress bytes with `DICTIONARY`."""
    level = FAST if len(data) < SHORT else USUAL
    idle = _compressors[level]
    try:
        compressor = idle.pop()
    except IndexError:
        compressor = _compressor(level)
    try:
        return compressor.compress(data)
    finally:
        idle.append(compressor)


def decompress(data: bytes) -> bytes:
    """Undo `compress`."""
    try:
        decompressor = _decompressors.pop()
    except IndexError:
        decompressor = _decompressor()
    try:
        return decompressor.decompress(data)
    finally:
        _decompressors.append(decompressor)


def compress_blob(type: str, data: bytes) -> tuple[str, bytes]:
    """Return a blob compressed, and its type marked so, where that makes it a tenth smaller."""
    marked = type.startswith(MARK)  # what looks compressed has to be
    if len(data) < LEAST and not marked:
        return type, data
    small = compress(data)
    return (MARK + type, small) if marked or len(small) < 0.9 * len(data) else (type, data)


def decompress_blob(type: str, data: bytes) -> tuple[str, bytes]:
    """Undo `compress_blob`."""
    return (type[len(MARK) :], decompress(data)) if type.startswith(MARK) else (type, data)
