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
GAMES = word_set("game tennis baseball soccer football basketball frisbee volleyball hockey rugby golf wii match sport")
PAPERS = word_set("book newspaper magazine letter map menu")
PICTURES = word_set("picture photo photograph")
DRINKS = word_set("beer wine coffee tea milk juice soda water drink beverage")
WATERWAYS = word_set("wave")
# Not held in the way of things one throws.
BODY = word_set(
    """
    hand arm head leg foot face hair tooth mouth nose eye neck balance breath end onto something it them him her
    themselves himself herself itself one this that
    """
)
# WordNet's first sense of these lives; a caption's does not.
LIFELESS = word_set(
    "bat controller mouse kite dish toy teddy fan runner hotdog roll tie monitor computer desktop printer"
)
# What animals do not do, and what is no other posture in a bird.
HUMAN = word_set("cook paint photograph throw wash write draw kneel cut bake feed dance")
PERCHED = frozenset({"sit", "stand", "kneel", "lie"})

# verb, what it is done to ("-" nothing), and what may stand in its place
DEEDS_LINES = """
sit - stand sleep jump
stand - sit sleep jump kneel
lie - stand sit jump run
lay - stand sit jump run
kneel - stand sit sleep jump
crouch - stand lie jump sleep
sleep - stand sit run jump play
rest - run jump stand dance
walk - run crawl dance
walk creature chase wash feed carry
run - walk sit crawl sleep
jump - sit sleep walk
swim - walk sleep fly
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
hold creature chase feed wash watch
hold thing throw drop kick
carry ball throw kick hit
carry creature chase feed wash
carry thing throw drop kick
throw ball catch kick hold
throw thing hold carry
kick thing hold carry
drop thing hold carry
catch ball throw kick drop
hit ball catch throw drop
kick ball throw catch hold
swing thing drop throw kick
toss ball catch kick
chase ball throw hold
chase creature carry feed wash
ride beast wash feed chase lead
ride ridden push wash carry paint
ride wave watch photograph
push thing pull carry paint
pull thing push paint follow
drive ridden push wash paint
wear worn wash hold throw
watch thing photograph paint
watch creature photograph chase paint
photograph creature chase feed
play games watch
play - sleep fight cry
read papers write throw cut
take pictures paint draw tear
ski - walk run sled
snowboard - walk run sled
skate - walk run sit
skateboard - walk run dance
surf - swim sleep fish
feed creature chase wash photograph
pet creature chase feed wash
hug creature chase photograph
kiss creature chase photograph
lead creature chase ride feed
smile - cry frown yawn
wait - dance fight run
pose - sleep fight cry dance
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
    if doer != "person":
        others = tuple(other for other in others if other not in HUMAN)
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
