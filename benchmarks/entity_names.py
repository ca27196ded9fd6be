"""What the cosine of two names tells: pairs that are one beside pairs that are two, by bound.

    uv run python benchmarks/entity_names.py

Made-up pairs, chosen to be hard: nicknames, short forms and other spellings on one side; on the
other, names that share words, letters or a kind. All-MiniLM-L6-v2, the names alone.
"""

from __future__ import annotations

import numpy as np
from holdfast.providers.local import LocalEmbedder

BOUNDS = (0.4, 0.5, 0.55, 0.6, 0.7, 0.8, 0.9, 0.93, 0.95, 0.97)

ONE = """
Robert Smith = Bob Smith | Bob = Robert | Katherine = Kathy | Jonathan = Johnathan
Elizabeth = Liz | William = Bill | Dr. Anna Weber = Anna Weber | Rita Andersen = Rita
Mohammed = Muhammad | Alexander = Alex | Sara = Sarah | Katarina = Katerina | Mike = Michael
New York City = New York | NYC = New York City | San Francisco = SF | Bombay = Mumbai
Peking = Beijing | UK = United Kingdom | USA = United States | Munich = München
Saint Petersburg = St. Petersburg | the Netherlands = Holland | Cologne = Köln | Los Angeles = LA
Kiev = Kyiv | Acme = Acme Inc. | Acme Corporation = Acme Corp | Google LLC = Google
MIT = Massachusetts Institute of Technology | World Health Organization = WHO
Deutsche Bahn = DB | University of California, Berkeley = UC Berkeley
JP Morgan = JPMorgan Chase | bike = bicycle | colour = color | mobile phone = cell phone
sofa = couch | swimming = swim | hike = hiking | photo = photograph | movie = film
Postgres = PostgreSQL | JavaScript = JS | veganism = vegan diet | retriever = golden retriever
Jonathan Smith = Johnathan Smith | John Smith = Smith, John | yoga class = yoga classes
gym class = gym classes | guitar lesson = guitar lessons | Lake Tahoe = lake of Tahoe
mentoring program = mentorship program
"""

TWO = """
Anna = Anne | Anna = Hannah | John Smith = John Jones | Maria = Mario | Daniel = Danielle
Paul = Paula | Julia = Julian | Bob Smith = Bob Jones | Eric = Erica | Christian = Christina
Robert Smith = Robert Smith Jr | Jan = Jane | Alice = Alicia | Tom = Tim | Stephen = Stephanie
Rita Andersen = Rita Larsen | Rita Andersen = Rita Anderson | Anne Weber = Anna Weber
Marie Curie = Pierre Curie | Uncle Tom = Uncle Tim | older brother = younger brother
Austria = Australia | North Korea = South Korea | Washington DC = Washington State
New York = New Jersey | Berlin = Hamburg | Paris = London | Georgia = Georgetown | Oslo = Bergen
Newcastle upon Tyne = Newcastle under Lyme | Slovakia = Slovenia | Niger = Nigeria
West Virginia = Virginia | East Berlin = West Berlin | Google = Microsoft
University of Oxford = University of Cambridge | Delta Air Lines = United Airlines
Boston University = Boston College | Bank of America = Bank of England
Real Madrid = Atletico Madrid | General Motors = General Electric | Team Red = Team Blue
iPhone twelve = iPhone thirteen | tea = coffee | guitar = bass guitar | cat = dog
piano = violin | Java = JavaScript | football = American football | milk = soy milk
breakfast = lunch | hiking boots = hiking | yoga = pilates | violin lessons = piano lessons
Hepatitis A = Hepatitis B | Vitamin C = Vitamin D | first floor = second floor
room A = room B | Model X = Model Y | Type A = Type B | Gate C = Gate D
Monday class = Tuesday class | mother's house = father's house | red car = blue car
the first marriage = the second marriage | son's school = daughter's school
"""


def main() -> None:
    """Print a Markdown table."""
    embedder = LocalEmbedder()
    one, two = cosines(embedder, ONE), cosines(embedder, TWO)
    print(f"| cosine from | one ({len(one)}) | two ({len(two)}) |\n|---|---|---|")
    for bound in BOUNDS:
        print(f"| {bound} | {sum(one >= bound)} | {sum(two >= bound)} |")


def cosines(embedder: LocalEmbedder, pairs: str) -> np.ndarray:
    """Return the cosine of each pair."""
    listed = [pair.split(" = ") for line in pairs.split("\n") for pair in line.split(" | ") if pair]
    first, second = (np.array(embedder.embed(names)) for names in zip(*listed, strict=True))
    return (first * second).sum(axis=1)


if __name__ == "__main__":
    main()
