"""How an answer speaks of a pair: as its choice, in passing, as a thing of the past, or to turn it down."""

from __future__ import annotations

import re
from enum import IntEnum

from athanor.environments.alchemy.table import EDGES


class Standing(IntEnum):
    """The higher, the more a pair is the answer."""

    REJECTED = 0
    """Turned down ("cannot combine ..", "... makes nothing"), or listed under a heading such as "Pairs tried:"."""
    PAST = 1
    """Reported as tried, or as what it made."""
    ASIDE = 2
    """In an explanation ("Reason: ..."), or kept for a later turn ("If that fails, I will try ...")."""
    TOLD = 3
    """Within a sentence, with what it makes ("... = steam")."""
    PROSE = 4
    """Within a sentence."""
    ALONE = 5
    """On a line, or as the value of a field, of its own."""
    CHOSEN = 6
    """After words such as "I combine", "next:"."""
    ANSWER = 7
    """After "answer", or in a box."""


WINDOW = 160
"""Characters on each side of a pair that can say how it is meant."""

_DRESS = "".join(sign for sign in EDGES if sign not in ".,:;!?")
_BREAK = re.compile(
    r"[.;!?,](?=[\s\"']|$)"
    r"|\s(?:and|but|or|so(?! far)|because|since|as|while|whereas|although|though|however|therefore|if)(?=\s)"
)
_SENTENCE = re.compile(r"[.!?](?=\s|$)")
_FOLLOWING = re.compile(
    r"[.;!?,)\s]*(?:(?:no(?=\s?[.,!:;–—]|$)|nope|wait|hmm)[.,!\s]*)*(?:(?:and|but|though|although|as|because|since)\s+)?"
    r"(?:(?:it|that|this|which|they|both|already|tried|failed)\b[^.;!?,\n+]{0,80}+(?!\+))?"
)
"""A clause after the pair's own that goes on about it."""
_ADVERB = re.compile(
    r"(?:(?:and|but) )?(?:earlier|previously|before|so far|in the past|last (?:time|turn)"
    r"|(?:in|on) (?:my|the) (?:previous|earlier|last|past|first) \w+)"
)
"""A clause before the pair's own that belongs to it."""

_UNTRIED = re.compile(
    r"\b(?:not|never|(?:has|have|had|is|are|was|were)n['’]t)(?: (?:yet|been|ever|previously|already|i|we|you)){0,4} "
    r"(?:tried|combined|attempted|tested|explored|done|repeated|(?:a )?repeat"
    r"|(?:among|in|on|part of)\b[^.;!?,]{0,40}\b(?:past|previous|list|history|attempts|tried|earlier)\b)"
    r"(?: (?:yet|before|so far|earlier|already|attempts|pairs))*"
    r"|\bdid(?: not|n['’]t) (?:yet )?(?:try|combine|attempt|test)(?:\s+yet)?\b|\bun(?:tried|tested|explored)\b"
    r"|\bto be (?:tried|tested|combined)\b"
    r"|\bwhy (?:not|do(?: not|n['’]t) (?:i|we))\b|\bnothing (?:else|more)\b|\bno(?:t| longer) (?:sure|certain)\b"
    r"|\bno (?:repeats?|repetitions?|duplicates?)\b"
)
"""Words that sound like the past or a no, and say that a pair is new."""

_PAST = re.compile(
    r"\b(?:tried|already|worked|earlier|previous(?:ly)?|before|past|was|were|made|gave|got|produced|created|yielded"
    r"|resulted|formed|discovered|found|combined|tested|attempted|considered|repeat(?:ed|ing)?|last (?:time|turn)"
    r"|so far|success(?:es|ful|fully)?|what fail(?:s|ed))\b"
)
_RESULT = re.compile(r"\+[^.;!?+]*(?:=|->|→|⇒)\s*$")
"""What leads up to a pair that another makes."""
_MAKES = re.compile(
    r"[\s)*_`\"']*(?:(?:=>?|->|→|⇒)[\s*_`\"']*\w|works\b"
    r"|(?:makes?|gives?|yields?|produces?|creates?|forms?|becomes?|results? in)\s+\w)[^.;!?,\n]*(?!\?)(?:[.;!,\n]|$)"
)
"""What follows a pair that is told with its result, and is no question."""
_LATER = re.compile(
    r"(?<!for )(?<!my )(?<!the )\bnext (?:turn|time)\b"
    r"|\b(?:on|in) (?:the|a) (?:next|later|following) (?:turn|step|move)\b"
    r"|\b(?:later|afterwards|after (?:that|this))\b"
    r"|\bif (?:that|this|it)\b[^+]{0,40}?\b(?:fails?|not|nothing|\w{2,6}n['’]t)\b"
)
"""What keeps a pair for a later turn. "For my next turn" is this one."""
_NO_BEFORE = re.compile(
    r"(?:\bnot|n['’]t|\bnever|\bcannot|\bavoid(?:ing)?|\bno|\bwithout|\binstead of|\brather than|\bexcept|\bskip)"
    r"(?:\s+(?:to|be|able|want|again|even|just|simply|the|a|my|possible|allowed|going|use|using|try|trying|combine"
    r"|combining|choose|choosing|pick|picking|repeat|repeating|do|doing|mix|mixing|pair|combination|of|owned))*$"
)
_NO_AFTER = re.compile(
    r"^\W*(?:(?:is|was|are|were|be|been|has|have|had|did|does|do|would|will|could|can|it|that|this|which|they|both|but"
    r"|and|though|although|as|because|since|no|nope|wait|hmm|also|already|just|tried|combined|together|before|earlier"
    r"|makes?|made|gives?|gave|yields?|yielded|produces?|produced|results?|resulted|in|to|a|the|known|again)\W+)*"
    r"(?:no(?=\s?(?:[.,!]|$))|nope|fail(?:s|ed|ure)?|nothing|impossible|invalid|useless|not|cannot|\w{2,6}n['’]t"
    r"|no (?:new |known |valid )?(?:results?|effect|success|reaction|combination|recipe|luck|elements?))\b"
)
"""What says right after a pair, with small words between, that it makes nothing."""
_PAST_HEADING = re.compile(
    r"\b(?:tried|past|previous(?:ly)?|earlier|before$|so far|last (?:time|turn)|already|worked|what works|failed"
    r"|fail(?:ure)?s|(?:pairs?|combinations?|that|which|what|have|i|we)(?: \w+)? made|makes? nothing|nothing|attempts"
    r"|history|success(?:es|ful)?|valid turn|did(?: not|n['’]t)|do(?: not|n['’]t|es not|esn['’]t)|cannot|can['’]t"
    r"|results|discovered|look(?:ing|ed)? back|recap|recall\w*|review|avoid|repeats?|bad|kn(?:ow|own))\b"
)
_BASIS = re.compile(
    r"(?:\w+ )?(?:based on|considering|given|after|looking|having|reviewing|according to|building on|following"
    r"|in light)"
)
"""How a heading begins that may name the past and announce a choice."""
_EXPLAINS = re.compile(
    r"\b(?:reason\w*|why|explanation|because|rationale|justification|note|evidence|logic|thoughts?|analysis|example"
    r"|expected)\b"
)
_OWNED = re.compile(
    r"\binventory|\bcollection\b|\bowned\b|\b(?:my|your|our|current|available|owned|all|bas(?:e|ic)|starting|known)"
    r"(?: \w+)? elements\b|\belements (?:i|you|we) (?:have|own)\b|\b(?:i|you|we)(?: now| already)? (?:have|own)\b"
    r"(?! (?:chosen|decided|to))"
    r"|\b(?:new among|final\b.*\bnot to be)"
)
_ANSWER = re.compile(r"\b(?:answer|boxed|final (?:choice|decision|pair|combination|move|pick))\b")
_CHOICE = re.compile(
    r"\b(?:choice|choose|combination|combo|combin(?:e|ing)|next|move|pair|pick|selection|decision|action|try(?:ing)?"
    r"|conclusion|guess|go with|suggestion|propos(?:al|ed?)|solution|(?:now|so|then|therefore|thus|hence|turn)$)\b"
)
_DECIDES = re.compile(
    r"(?<!if )(?<!when )(?<!should )\bi(?:['’](?:ll|d|m)| will| would| shall| should| am| want| now| then| next)*"
    r"(?: (?:to|like|going|now|then|next|first|therefore|go(?:ing)?|with|instead|thus|just))*"
    r" (?:choos(?:e|ing)|combin(?:e|ing)|pick(?:ing)?|select(?:ing)?|try(?:ing)?|us(?:e|ing)|mix(?:ing)?|merg(?:e|ing)"
    r"|test(?:ing)?|attempt(?:ing)?|do(?:ing)?|propose|suggest|with)\b"
    r"|\blet(?:['’]?s| us| me)(?: \w+)? (?:try|attempt|combine|go|do|use|mix|test|pick|choose)\b|\bgo(?:ing)? with\b"
    r"|\bdecid(?:e|ed) (?:on|to (?:combine|try|go|use|mix))\b"
    r"|\b(?:choice|combination|pair|pick|move|selection|decision) (?:is|will be|would be)\b"
    r"|^(?:(?:so|then|now|thus|next|first|therefore|please|well|sure|yes|ok(?:ay)?)\s)*"
    r"(?:combine|choose|try|attempt|pick|use|select|mix|merge)\s"
)


def standing(before: str, after: str, heading: str, *, alone: bool, listing: bool) -> Standing:
    """How a pair is meant by what stands before and after it on its line and by the heading above it.

    `alone`: whether the pair stands by itself, its heading aside. `listing`: whether its two names may be a mere list
    of what is owned, as those that a comma joins.
    """
    before, after = before[-WINDOW:].rstrip(_DRESS), after[:WINDOW]
    label, own = _parted(before)
    label = label or heading
    told = _UNTRIED.sub(" ", label)
    if listing and _OWNED.search(f"{told} {own}"):
        return Standing.REJECTED
    if _PAST_HEADING.search(told):
        if not _BASIS.match(told):
            return Standing.REJECTED
        if "+" not in told:  # else the past is told within the heading
            return Standing.PAST
    lead, tail = _UNTRIED.sub(" ", own), _UNTRIED.sub(" ", _about(after))
    if _RESULT.search(before) or _NO_BEFORE.search(lead.rstrip(EDGES)):
        return Standing.REJECTED
    meant = _weighed(lead, tail, label, alone=alone)
    if meant == Standing.PROSE and _MAKES.match(after):
        return Standing.TOLD
    said = _UNTRIED.sub(" ", _SENTENCE.split(before)[-1].rpartition("+")[2])
    later = Standing.TOLD <= meant < Standing.ANSWER and (_LATER.search(said) or _LATER.search(tail))
    return Standing.ASIDE if later else meant


def marked(before: str, heading: str) -> bool:
    """Whether what stands before a pair on its line, or the heading above it, calls it the answer: "Answer: ..."."""
    return bool(_ANSWER.search(_parted(before[-WINDOW:].rstrip(_DRESS))[0] or heading))


def _weighed(lead: str, tail: str, label: str, *, alone: bool) -> Standing:
    """The standing of a pair that is not turned down by what leads up to it."""
    if _PAST.search(lead):
        return Standing.REJECTED if _NO_AFTER.search(tail) else Standing.PAST
    if _EXPLAINS.search(label):
        return Standing.REJECTED if _NO_AFTER.search(tail) else Standing.ASIDE
    if _ANSWER.search(lead) or _ANSWER.search(label):
        return Standing.ANSWER
    if _NO_AFTER.search(tail):
        return Standing.REJECTED
    if _DECIDES.search(lead) or _CHOICE.search(label):
        return Standing.CHOSEN
    if alone:
        return Standing.ALONE
    return Standing.PAST if _PAST.search(tail) else Standing.PROSE


def label_of(line: str) -> str:
    """What a line says that is a heading: one that ends in a colon, or is marked as one; empty if it is none."""
    bare = line.strip(" \t*_`\"'>#")
    marked = line.lstrip().startswith("#") or (line.strip().startswith("**") and line.strip().endswith("**"))
    if not bare.endswith(":") and not marked:
        return ""
    return _BREAK.split(bare.rstrip(": "))[-1][-WINDOW:].strip(EDGES) or bare


def _parted(before: str) -> tuple[str, str]:
    """What the sentence says before its last colon, and the pair's own clause."""
    sentence = _SENTENCE.split(before)[-1]
    told, colon, rest = sentence.rpartition(":")
    label = (told if _BASIS.match(told.strip()) else _BREAK.split(told)[-1]) if colon else ""
    *earlier, own = (clause.strip() for clause in _BREAK.split(rest))
    if earlier and _ADVERB.fullmatch(earlier[-1]):
        own = f"{earlier[-1]} {own}"
    return label.strip(EDGES), own


def _about(after: str) -> str:
    """The pair's own clause after it, and the next one if that goes on about it."""
    own = _BREAK.split(after)[0]
    if "+" in own:  # it goes on about another pair
        return ""
    more = _FOLLOWING.match(after, len(own))
    return f"{own} {more.group()}" if more else own
