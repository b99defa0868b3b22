"""What one could do instead: deeds that exclude each other, by what they are done to. The lists are ours."""

from __future__ import annotations

from functools import cache

from compoclip.language.words import word_set

FOODS = word_set(
    """
    pizza sandwich burger hamburger salad soup pasta cake donut doughnut pie hotdog apple banana orange carrot broccoli
    food fruit meat vegetable sushi bread cookie pastry cupcake dessert meal slice piece hay grass leaf snack rice egg
    """
)
BALLS = word_set("ball frisbee baseball football")
RIDDEN = word_set("motorcycle bicycle bike scooter skateboard snowboard surfboard car truck motorbike moped board")
BEASTS = word_set("horse elephant camel donkey cow bull pony")
WORN = word_set(
    "hat tie shirt jacket coat helmet suit glasses sunglasses dress skirt costume uniform vest scarf cap bag"
)
GAMES = word_set("game tennis baseball soccer football basketball frisbee volleyball hockey rugby golf match sport")
PAPERS = word_set("book newspaper magazine letter map menu")
PICTURES = word_set("picture photo photograph")
DRINKS = word_set("beer wine coffee tea milk juice soda water drink beverage")
WATERWAYS = word_set("wave")
# Not held in the way of things one throws.
BODY = word_set(
    """
    hand arm head leg foot face hair tooth mouth nose eye neck balance breath end onto something it them him her
    themselves himself herself itself one this that pitch tv television
    wheelie way conversation meeting concert parade race party event position pose discussion speech
    """
)
# WordNet's first sense of these lives; a caption's does not.
LIFELESS = word_set(
    "bat controller mouse kite dish toy teddy fan runner hotdog roll tie monitor computer desktop printer calculator"
)
_ALIKE = frozenset({("run", "walk"), ("swim", "walk")})  # in an animal
# What animals do not do, and what is no other posture in a bird.
HUMAN = word_set("cook paint photograph throw wash write draw kneel cut bake feed dance cry")
PERCHED = frozenset({"sit", "stand", "kneel", "lie"})

# verb, what it is done to ("-" nothing), and what may stand in its place
DEEDS_LINES = """
sit - stand jump kneel walk
stand - sit sleep jump kneel
lie - stand jump run
lay - stand jump run
kneel - stand sleep jump
crouch - stand lie jump sleep
sleep - stand run jump play
rest - run jump stand dance
walk - run crawl dance
walk creature chase wash feed carry
run - stand walk sit crawl sleep
jump - sit sleep walk
swim - walk sleep stand sit
graze - sleep run jump
wander - sleep run fly
eat food cook throw drop
eat - sleep run
cook food eat throw drop
prepare food eat throw drop
cut food eat throw cook
bake food eat throw cut
serve food eat throw drop
drink drinks spill throw pour
hold ball throw kick hit
hold creature chase wash photograph
hold thing throw drop kick
carry ball throw kick hit
carry creature chase feed wash
carry thing throw drop kick
throw ball catch kick
throw thing kick wash
kick thing hold carry
drop thing kick wash
catch ball throw kick drop
hit ball catch throw drop
kick ball throw catch hold
swing thing drop throw kick
toss ball catch kick
chase ball throw hold
chase creature carry feed wash
ride beast wash feed chase lead
ride ridden push pull wash carry paint
ride wave photograph paint
push thing pull carry paint
pull thing push paint follow
drive ridden push wash paint
wear worn wash hold throw
watch thing paint
watch creature chase paint
photograph creature chase feed
play games watch
play - sleep cry
play videogame throw break
read papers write throw cut
take pictures paint draw tear
ski - run sled crawl sit
snowboard - run sled crawl sit
skate - walk run sit
skateboard - walk run dance
surf - swim sleep fish
feed creature chase wash photograph
pet creature chase wash photograph
hug creature chase photograph
kiss creature chase photograph
lead beast chase ride feed
lead creature chase feed wash
smile - cry frown yawn
wait - dance fight run
pose - sleep fight cry dance run
dance - sleep sit fight
talk - dance fight sleep
clean thing paint break throw
wash thing paint break throw
do tricks watch
perform tricks watch
attempt tricks watch
"""
TRICKS = word_set("trick stunt")
OBJECT_SETS = {
    "food": FOODS,
    "ball": BALLS,
    "ridden": RIDDEN,
    "beast": BEASTS,
    "worn": WORN,
    "games": GAMES,
    "videogame": frozenset({"videogame"}),
    "papers": PAPERS,
    "pictures": PICTURES,
    "drinks": DRINKS,
    "wave": WATERWAYS,
    "tricks": TRICKS,
}


@cache
def deeds() -> dict[str, tuple[tuple[str, tuple[str, ...]], ...]]:
    """verb lemma -> (sort of object, other verbs), the narrower sorts first."""
    found: dict[str, list[tuple[str, tuple[str, ...]]]] = {}
    for line in DEEDS_LINES.strip().splitlines():
        verb, sort, *others = line.split()
        found.setdefault(verb, []).append((sort, tuple(sorted(others))))
    return {verb: tuple(rows) for verb, rows in found.items()}


def other_deeds(verb: str, thing: str | None, animate: bool, doer: str = "person") -> tuple[str, ...]:
    """Deeds that cannot be true with this one, done to the same `thing` (a noun lemma; None for nothing), sorted.

    `animate` says whether the thing lives; `doer` is "person", "animal" or "bird".
    """
    others = next((others for sort, others in deeds().get(verb, ()) if _of_sort(sort, thing, animate)), ())
    if doer != "person":  # whether a dog walks or runs is hard to see
        others = tuple(other for other in others if other not in HUMAN and (verb, other) not in _ALIKE)
    if doer == "bird":
        others = tuple(other for other in others if other not in PERCHED)
    return others


def _of_sort(sort: str, thing: str | None, animate: bool) -> bool:
    if thing is None or sort == "-":
        return thing is None and sort == "-"
    if sort == "creature":
        return animate
    if sort == "thing":
        return not animate and thing not in BODY
    return thing in OBJECT_SETS[sort]
