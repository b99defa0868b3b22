"""What is usually there: things that a caption need not name to be in the picture of its scene, and what fits where.

A noun that gives way to one of these may leave the caption true: a bathroom with a toilet has a mirror too.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from compoclip.language.words import word_set

# Words that give the scene away, and what to expect there.
SCENES: tuple[tuple[str, str], ...] = (
    (
        "kitchen stove oven refrigerator fridge dishwasher microwave cook",
        "stove oven refrigerator fridge microwave sink cabinet counter table floor wall window door shelf toaster pan "
        "pot bowl plate cup bottle dishwasher blender knife spoon drawer cupboard",
    ),
    (
        "bathroom restroom toilet shower bathtub tub urinal bath",
        "toilet sink mirror bathtub tub shower towel floor wall window door curtain cabinet tile rug bathroom light "
        "soap",
    ),
    ("bedroom bed", "bed pillow blanket lamp dresser window curtain wall floor sheet door picture rug"),
    (
        "living_room living lounge fireplace",
        "couch sofa chair television tv lamp table pillow rug window picture floor wall door bookcase shelf curtain",
    ),
    ("couch sofa", "pillow blanket rug lamp"),
    (
        "office desk keyboard monitor laptop computer mouse screen",
        "computer keyboard mouse monitor laptop screen desk chair lamp cable phone speaker table",
    ),
    (
        "dining_room dining restaurant dinner lunch breakfast meal cafe bar",
        "table chair plate glass cup fork knife spoon napkin bottle food person bowl",
    ),
    ("plate food dish salad sandwich pizza burger", "plate fork knife spoon glass napkin table cup bowl"),
    (
        "street road highway intersection traffic city sidewalk crosswalk parking downtown town curb avenue",
        "car person building sign tree sidewalk street road pole light window store",
    ),
    (
        "beach ocean surfer surfboard wave surf surfing sea shore",
        "sand water ocean wave person beach surfboard surfer",
    ),
    (
        "snow ski skier snowboard snowboarder slope mountain skiing",
        "snow mountain tree hill slope ski person skier snowboard glove helmet hat jacket",
    ),
    ("field pasture farm park grass meadow zoo garden yard lawn enclosure", "grass tree field fence plant flower"),
    ("tennis court racket racquet", "court net ball racket racquet player person hat skirt shorts"),
    ("baseball batter umpire catcher bat pitcher", "ball bat glove player field catcher umpire person helmet cap"),
    ("soccer football basketball rugby volleyball", "ball player field grass person"),
    ("airport runway tarmac airplane plane jet", "airplane plane jet runway truck car luggage building"),
    ("train station track railroad", "track person station platform train"),
    ("boat dock harbor lake river pier pond ship water", "water boat dock grass tree rock sand"),
    ("room house building home hotel", "wall floor window door ceiling room"),
    ("car truck bus van", "window door person"),
    (
        "motorcycle bicycle bike scooter skateboard skateboarder motorbike biker bicyclist cyclist motorcyclist rider "
        "racer bmx biking cycling",
        "helmet glove wheel shoe",
    ),
    ("coat winter cold jacket parka", "scarf glove hat boot"),
    ("suit", "tie shirt pants shoe jacket"),
    ("vegetable veggie stew stir soup", "broccoli carrot tomato potato onion cucumber pepper lettuce mushroom bean"),
    ("salad", "tomato lettuce onion cucumber pepper carrot"),
    ("pizza", "cheese tomato pepper mushroom onion"),
    ("sandwich burger hamburger", "bread tomato lettuce cheese meat onion pickle bun"),
    ("fruit", "apple banana orange grape strawberry pear pineapple peach"),
    ("vase bouquet", "flower rose"),
    ("market produce grocery", "apple banana orange tomato potato carrot broccoli box basket person"),
    ("forest jungle tree bush", "tree grass bush leaf branch"),
    ("surface counter", "table"),
    ("sky cloud cloudy", "cloud sun"),
)

ENCLOSED = word_set(
    """
    kitchen bathroom bedroom office garage restaurant store forest jungle city museum zoo airport house church barn
    castle school room bowl cup glass mug bottle jar pot vase basket box suitcase backpack purse bag garden cage tent
    cave drawer oven refrigerator microwave bathtub shower lake river ocean pond pool desert library park fork knife
    spoon soup tea coffee beer wine juice milk rainbow sun moon
    """
)
FLAT = word_set(
    """
    table desk bench couch sofa stool shelf counter plate tray beach slope sidewalk hill motorcycle bicycle bike scooter
    skateboard surfboard snowboard mountain bridge roof highway runway hillside court rug floor ceiling wall curb
    television camera keyboard monitor phone radio fork knife spoon sign clock statue hydrant farm intersection dock
    horse fence poster painting head leg shoulder door
    """
)
# Nobody sits at or around these.
NOT_AT = word_set(
    """
    bed couch sofa chair bench shelf dresser cabinet stool bookcase forest desert mountain field street pan basket
    kitchen bathroom bedroom office hallway garage boat
    """
)
_ON = frozenset({"on", "onto", "atop", "off"})
_IN = frozenset({"in", "into", "inside", "within", "outside", "interior"})
NOT_THROUGH = word_set("beach road bridge slope mountain bench table roof court runway statue")
_WEARING = frozenset({"wearing", "wears", "wear"})
CARRIED = word_set("suitcase basket box purse")
_AT = frozenset({"at", "around", "over"})
_DOWN = frozenset({"down", "along", "up", "across"})
LENGTHWISE = word_set(
    """
    street road highway sidewalk alley hallway beach slope hill river track trail path bridge mountain field walkway
    hillside runway driveway desert court street
    """
)


@cache
def _expected() -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for cues, things in SCENES:
        for cue in cues.split():
            found.setdefault(cue.replace("_", " "), set()).update(things.split())
    return {cue: frozenset(things) for cue, things in found.items()}


def usually_there(words: Iterable[str]) -> frozenset[str]:
    """Things to expect in the scene that these words (lower case, lemmas or not) give away."""
    expected = _expected()
    return frozenset().union(*(expected[word] for word in words if word in expected))


def fits(preposition: str, noun: str) -> bool:
    """Can the noun stand after this preposition? Not "in a beach", "on a kitchen", "around a shelf"."""
    if preposition == "through":
        return noun not in NOT_THROUGH
    if preposition in _WEARING:
        return noun not in CARRIED
    if preposition in _ON:
        return noun not in ENCLOSED
    if preposition in _IN:
        return noun not in FLAT
    if preposition in _AT:
        return noun not in NOT_AT
    return preposition not in _DOWN or noun in LENGTHWISE
