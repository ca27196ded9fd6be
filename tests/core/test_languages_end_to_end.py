"""Short chats in five languages and a mixture: a word is found however it is inflected."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from holdfast import Memory, Message
from holdfast.testing import HashEmbedder

CHATS = {
    "Chinese": [
        ("小梅", "我上个月搬到成都了，新房子离地铁站很近。"),
        ("阿强", "真好！我还住在老地方，不过换了工作，现在在医院做护士。"),
        ("小梅", "我的猫叫豆豆，它不喜欢新的沙发。"),
        ("阿强", "周末我们一起去爬山吧，记得带雨伞。"),
        ("小梅", "我对花生过敏，午饭别放。"),
    ],
    "Japanese": [
        ("健太", "先週から図書館で働き始めました。"),
        ("美咲", "私は犬を飼っています。名前はモモです。"),
        ("健太", "夏休みに北海道へ旅行する予定です。"),
        ("美咲", "母の誕生日に花束を贈りました。"),
        ("健太", "昨日の夜、財布をなくしてしまった。"),
    ],
    "Arabic": [
        ("ليلى", "انتقلت إلى القاهرة قبل شهرين مع أختي."),
        ("سامي", "اشتريت سيارة جديدة أمس، لونها أزرق."),
        ("ليلى", "ابنتي تدرس الطب في الجامعة."),
        ("سامي", "أحب القهوة بدون سكر كل صباح."),
        ("ليلى", "فقدت مفاتيحي في الحديقة."),
    ],
    "German": [
        ("Jonas", "Letzte Woche haben wir zwei alte Häuser am Hafen besichtigt."),
        ("Petra", "Meine Kinder spielten gestern Fußball im Garten."),
        ("Jonas", "Ich habe mir ein rotes Fahrrad gekauft, die Straße ist ja flach."),
        ("Petra", "Im Sommer fliegen wir nach Lissabon."),
        ("Jonas", "Von Nüssen bekomme ich Ausschlag."),
    ],
    "mixed": [
        ("Mei", "Next week I fly to 东京 for the design conference."),
        ("Tom", "Nice! I booked a 温泉 hotel near 箱根, the one with blue doors."),
        ("Mei", "明天 deadline 到了, my laptop 坏了."),
        ("Tom", "Der neue 公园 next to our Büro has old chestnut trees."),
        ("Mei", "Мама прислала книги и a jar of варенье."),
    ],
}

ASKED = [
    ("Chinese", "成都", 0),
    ("Chinese", "谁是护士？", 1),
    ("Chinese", "小梅的猫叫什么名字？", 2),
    ("Chinese", "雨伞", 3),
    ("Chinese", "花生", 4),
    ("Japanese", "図書館", 0),
    ("Japanese", "犬の名前は何ですか", 1),
    ("Japanese", "旅行", 2),
    ("Japanese", "花束", 3),
    ("Japanese", "財布はどこ？", 4),
    ("Arabic", "القاهرة", 0),
    ("Arabic", "ما لون السيارة؟", 1),
    ("Arabic", "من تدرس في جامعة؟", 2),
    ("Arabic", "قهوة", 3),
    ("Arabic", "حديقة", 4),
    ("German", "Welches Haus war am Hafen?", 0),
    ("German", "Wer spielt mit dem Kind?", 1),
    ("German", "Fahrräder", 2),
    ("German", "Wir flogen nach Lissabon?", 3),
    ("German", "Nuss", 4),
    ("mixed", "Who goes to 东京?", 0),
    ("mixed", "温泉", 1),
    ("mixed", "Whose laptops broke?", 2),
    ("mixed", "Bäume: chestnut tree", 3),
    ("mixed", "книга", 4),
]


@pytest.fixture(scope="module")
def memory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Memory]:
    """Give a memory of all chats, each in a session of its own."""
    path = tmp_path_factory.mktemp("languages") / "memory.db"
    # Wide, so that hardly two words share a number: this is about words.
    with Memory(path, embedder=HashEmbedder(dimension=4_096)) as memory:
        for chat, turns in CHATS.items():
            said = [Message(text, name=name) for name, text in turns]
            memory.add(said, user_id="ada", run_id=chat)
        yield memory


@pytest.mark.parametrize(("chat", "query", "turn"), ASKED)
def test_a_short_or_inflected_word_is_found(
    memory: Memory, chat: str, query: str, turn: int
) -> None:
    [best] = memory.search(query, user_id="ada", run_id=chat, limit=1)
    assert best.record.text == CHATS[chat][turn][1]
    assert best.record.speaker == CHATS[chat][turn][0]


@pytest.mark.parametrize(("chat", "query", "turn"), ASKED)
def test_a_word_is_found_among_other_languages(
    memory: Memory, chat: str, query: str, turn: int
) -> None:
    found = [match.record.text for match in memory.search(query, user_id="ada", limit=3)]
    assert CHATS[chat][turn][1] in found
