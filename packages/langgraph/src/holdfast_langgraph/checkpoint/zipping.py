"""Zipping blobs, with what most messages have in common told beforehand.

A short message is framed in names that are longer than its words, and zlib finds nothing twice in
so little. `WORDS` are the frames as LangGraph's serializer writes them; given as a preset
dictionary (RFC 1950, section 2.3) they leave two thirds of what zlib alone does.
"""

from __future__ import annotations

import zlib

from holdfast_langgraph.checkpoint.forms import Sealed

PLAIN = "zlib:"  # without a dictionary: how files were written at first
PRIMED = "zlib1:"
# Zipping takes longer than serializing, so a short message stays as it is: it is zipped when its
# run is.
LEAST = 512
SHORT = 4096

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


# A short text loses nothing by a small window and little effort, and takes half the time; telling
# the words once, and copying who knows them, saves another fifth.
_LITTLE = zlib.compressobj(1, zlib.DEFLATED, 12, 5, zdict=WORDS)
_MUCH = zlib.compressobj(6, zlib.DEFLATED, zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, zdict=WORDS)


def deflated(data: bytes) -> bytes:
    """Return bytes zipped with `WORDS`."""
    zipper = (_LITTLE if len(data) < SHORT else _MUCH).copy()
    return zipper.compress(data) + zipper.flush()


def inflated(data: bytes) -> bytes:
    """Undo `deflated`."""
    return zlib.decompressobj(zdict=WORDS).decompress(data)


def zipped(type: str, data: bytes) -> Sealed:
    """Return a blob zipped, and its type marked so, where that makes it a tenth smaller."""
    marked = type.startswith((PLAIN, PRIMED))  # what looks zipped has to be
    if len(data) < LEAST and not marked:
        return type, data
    small = deflated(data)
    return (PRIMED + type, small) if marked or len(small) < 0.9 * len(data) else (type, data)


def unzipped(type: str, data: bytes) -> Sealed:
    """Undo `zipped`."""
    if type.startswith(PRIMED):
        return type[len(PRIMED) :], inflated(data)
    if type.startswith(PLAIN):
        return type[len(PLAIN) :], zlib.decompress(data)
    return type, data
