"""Zipping blobs, with what most messages have in common told beforehand.

A short message is framed in names that are longer than its words, and in so little nothing is
found twice. `WORDS` are the frames as LangGraph's serializer writes them; given as a dictionary
they leave two thirds of what is left without.

Zstandard (RFC 8878) leaves as much as zlib did, by which files were zipped at first, in a third to
a tenth of the time.
"""

from __future__ import annotations

import zlib

from zstandard import (
    DICT_TYPE_RAWCONTENT,
    FORMAT_ZSTD1_MAGICLESS,
    ZstdCompressionDict,
    ZstdCompressionParameters,
    ZstdCompressor,
    ZstdDecompressor,
)

from holdfast_langgraph.checkpoint.forms import Sealed

MARK = "zstd1:"
PLAIN = "zlib:"  # without a dictionary: how files were written at first
PRIMED = "zlib1:"  # then with it
MARKS = (MARK, PLAIN, PRIMED)
LEAST = 192  # what is shorter stays as it is
# What is shorter than this is zipped hastily: that leaves a third more, in a third of the time. A
# message in a list is zipped again with its run.
SHORT = 640
USUAL, HASTY = 1, -1

# Never edited: files out there were written with it. Another one needs another mark.
WORDS = (
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


# Each works for one thread at a time. Lists lend them out without a lock, which a fork might
# leave held forever.
_zippers: dict[int, list[ZstdCompressor]] = {USUAL: [], HASTY: []}
_unzippers: list[ZstdDecompressor] = []


def _zipper(level: int) -> ZstdCompressor:
    how = ZstdCompressionParameters.from_level(
        level, dict_size=len(WORDS), format=FORMAT_ZSTD1_MAGICLESS, write_dict_id=False
    )
    words = ZstdCompressionDict(WORDS, dict_type=DICT_TYPE_RAWCONTENT)
    words.precompute_compress(compression_params=how)
    return ZstdCompressor(dict_data=words, compression_params=how)


def _unzipper() -> ZstdDecompressor:
    words = ZstdCompressionDict(WORDS, dict_type=DICT_TYPE_RAWCONTENT)
    return ZstdDecompressor(dict_data=words, format=FORMAT_ZSTD1_MAGICLESS)


def deflated(data: bytes) -> bytes:
    """Return bytes zipped with `WORDS`."""
    level = HASTY if len(data) < SHORT else USUAL
    idle = _zippers[level]
    try:
        zipper = idle.pop()
    except IndexError:
        zipper = _zipper(level)
    try:
        return zipper.compress(data)
    finally:
        idle.append(zipper)


def inflated(data: bytes) -> bytes:
    """Undo `deflated`, or what zlib did with `WORDS`.

    The first byte tells: zlib's ends in the four bits of 8 (RFC 1950, section 2.2), of which
    Zstandard's has the highest always zero (RFC 8878, section 3.1.1.1.1).
    """
    if data[0] & 0x08:
        return zlib.decompressobj(zdict=WORDS).decompress(data)
    try:
        unzipper = _unzippers.pop()
    except IndexError:
        unzipper = _unzipper()
    try:
        return unzipper.decompress(data)
    finally:
        _unzippers.append(unzipper)


def zipped(type: str, data: bytes) -> Sealed:
    """Return a blob zipped, and its type marked so, where that makes it a tenth smaller."""
    marked = type.startswith(MARKS)  # what looks zipped has to be
    if len(data) < LEAST and not marked:
        return type, data
    small = deflated(data)
    return (MARK + type, small) if marked or len(small) < 0.9 * len(data) else (type, data)


def unzipped(type: str, data: bytes) -> Sealed:
    """Undo `zipped`."""
    if type.startswith((MARK, PRIMED)):
        return type.partition(":")[2], inflated(data)
    if type.startswith(PLAIN):
        return type[len(PLAIN) :], zlib.decompress(data)
    return type, data
