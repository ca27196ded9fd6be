"""Function words: what tells languages apart, and what a keyword query leaves out.

The lists are ours and short on purpose: closed-class words (articles, pronouns, prepositions,
auxiliaries, question words), which are the same in every well-known list.
"""

from __future__ import annotations

from typing import Final


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


ENGLISH: Final = _set(
    """
    a about after again all also am an and any anyone anything are aren't as at be because been
    before being between both but by can can't could couldn't did didn't do does doesn't doing
    don't done during each ever few for from further get gets got had hadn't has hasn't have
    haven't having he he's her here hers herself him himself his how i i'd i'll i'm i've if in into
    is isn't it it's its itself just let let's me might more most much must my myself no nor not of
    off on once only or other our ours out over own please same shall she she's should so some
    such tell than that that's the their theirs them themselves then there there's these they
    they'd they'll they're they've this those through to too under until up upon us very was
    wasn't we we'd we'll we're we've were weren't what what's when where which while who whom whose
    why will with won't would wouldn't yet you you'd you'll you're you've your yours yourself
    """
)

GERMAN: Final = _set(
    """
    aber alle als also am an auch auf aus bei beim bin bis bist da damit dann das dass dein deine
    dem den denn der des dich die dir doch dort du durch ein eine einem einen einer eines er es
    euch euer für gegen hab habe haben hast hat hatte hatten hattest ich ihm ihn ihnen ihr ihre im
    in ins ist ja jede jeder jedes kann kannst kein keine können man mein meine meinem meinen
    meiner mich mir mit muss nach nicht noch nur ob oder ohne schon sehr sein seine seit sich sie
    sind so soll um und uns unser unsere unter vom von vor wann war waren warst warum was weil
    welche welchem welchen welcher welches wem wen wenn wer werden wie wieder will wir wird wo
    wurde wurden würde zu zum zur über
    """
)

SPANISH: Final = _set(
    """
    a al algo ante antes como cómo con cual cuál cuales cuáles cuando cuándo cuanto cuánto de del
    desde donde dónde el él ella ellas ellos en entre era eran es esa ese eso esta está están estar
    estas este esto estos estoy fue fueron ha había han has hasta hay he la las le les lo los más
    me mi mis muy nada ni no nos nosotros o para pero por porque que qué quien quién quiénes se sea
    ser si sí sin sobre soy son su sus también te tener tengo ti tiene tienes tu tú tus un una unas
    uno unos usted y ya yo
    """
)

FRENCH: Final = _set(
    """
    à ai as au aux avait avec avez avons c'est ce ces cet cette comment dans de des du elle elles
    en es est et étaient était être eu il ils j'ai je l'on la le les leur leurs lui ma mais me mes
    moi mon ne nos notre nous on ont où ou par pas plus pour pourquoi qu'est quand que quel quelle
    quelles quels qui quoi sa sans se ses si son sont suis sur ta te tes toi ton tu un une vos
    votre vous y
    """
)

ITALIAN: Final = _set(
    """
    a abbiamo ai al alla alle anche che chi ci come con cosa cui da dal dalla dei del della delle
    di dove e è ed era erano gli ha hai hanno ho i il in io la le lei li lo loro lui ma me mi mia
    mie miei mio nei nel nella noi non o per perché più quale quali quando quanto quella quello
    questa questo se sei si sia siamo sono sta su sua sue suo ti tra tu tua tuo un una uno voi
    """
)

PORTUGUESE: Final = _set(
    """
    a ao aos as com como da das de dela dele do dos e é ela elas ele eles em então era essa esse
    esta está este estou eu foi foram há isso isto já lhe mais mas me meu meus minha minhas na não
    nas nem no nos nós o onde os ou para pela pelo por porque qual quais quando que quem se sem ser
    seu sua suas são só também te tem tenho teu tua um uma você vocês à
    """
)

DUTCH: Final = _set(
    """
    aan al als bij dan dat de deze die dit doen door dus een en er ge geen haar had hadden hebben
    heb hebt heeft hem het hier hij hoe hun ik in is je jij jouw jullie kan kunnen maar me men met
    mij mijn moet na naar niet nog nu of om omdat onder ons onze ook op over te toch toen tot u
    uit van veel voor waar waarom wanneer waren was wat we welke werd wie wij wil wordt zal ze
    zei zich zij zijn zo zou
    """
)

RUSSIAN: Final = _set(
    """
    а без бы был была были было быть в вам вас во вот все всё вы где да для до его ее её если есть
    же за и из или им их к как какая какие какой когда кого кто ли меня мне мой моя мои мы на нас не
    него нее нет но ну о об он она они от по почему при с со так там то тогда того только ты у уже
    что чтобы это этого эта этот я
    """
)

ARABIC: Final = _set(
    """
    في من على إلى الى عن مع هذا هذه ذلك تلك التي الذي الذين هو هي هم أنا انا أنت نحن كان كانت يكون
    ما ماذا متى أين اين كيف لماذا هل كم أو او ثم لا لم لن قد كل أي اي إن ان أن و يا
    """
)

# Characters and pairs of them: what the terms of these scripts are (see `terms`).
CHINESE_JAPANESE: Final = _set(
    """
    的 了 是 在 我 你 他 她 它 们 这 那 有 和 与 吗 呢 吧 啊 也 都 就 还 很 不 什 么 哪 谁 怎
    几 个 过 着 得 地 之
    什么 时候 为什 怎么 哪里 哪个 多少 我的 你的 他的 她的 我们 你们 他们 的是 是什 是谁 了吗 过吗
    いつ どこ だれ なに なぜ です ます した ました か は が を に の で と も へ から まで
    って ですか すか たか ませ ませんか する して いる ある ない 何 誰
    """
)

# Languages in Latin script, in the order in which a tie is broken.
LATIN: Final[dict[str, frozenset[str]]] = {
    "english": ENGLISH,
    "german": GERMAN,
    "spanish": SPANISH,
    "french": FRENCH,
    "italian": ITALIAN,
    "portuguese": PORTUGUESE,
    "dutch": DUTCH,
}

# What a query in any other script leaves out.
OTHER: Final = RUSSIAN | ARABIC | CHINESE_JAPANESE
