#include "keeper/check_word.h"

#include <stdio.h>

static const char *const WORDS[256] = {
    "ACORN",    "ALMOND",   "AMBER",   "ANCHOR",  "APPLE",   "APRON",   "ARROW",   "ASPEN",
    "ATLAS",    "BADGE",    "BAMBOO",  "BANJO",   "BARLEY",  "BASIL",   "BEACON",  "BEAVER",
    "BIRCH",    "BISON",    "BLANKET", "BLOSSOM", "BOTTLE",  "BRANCH",  "BRICK",   "BRIDGE",
    "BRONZE",   "BROOK",    "BUCKET",  "BUTTER",  "CABIN",   "CACTUS",  "CAMEL",   "CANDLE",
    "CANOE",    "CANYON",   "CARBON",  "CARROT",  "CASTLE",  "CEDAR",   "CELERY",  "CELLO",
    "CHALK",    "CHERRY",   "CIDER",   "CIRCLE",  "CLOCK",   "CLOUD",   "CLOVER",  "COBALT",
    "COCOA",    "COMET",    "COPPER",  "CORAL",   "COTTON",  "COUGAR",  "CRANE",   "CRAYON",
    "CRICKET",  "CROWN",    "CURLEW",  "DAHLIA",  "DAISY",   "DELTA",   "DESERT",  "DOLPHIN",
    "DONKEY",   "DRAGON",   "DRIFT",   "DRUM",    "EAGLE",   "EARTH",   "EASEL",   "EBONY",
    "ECHO",     "ELBOW",    "ELDER",   "EMBER",   "ENGINE",  "FABRIC",  "FALCON",  "FEATHER",
    "FENNEL",   "FERN",     "FERRY",   "FIDDLE",  "FIG",     "FINCH",   "FLAME",   "FLINT",
    "FLUTE",    "FOREST",   "FOSSIL",  "FOX",     "FROST",   "GALAXY",  "GARDEN",  "GARLIC",
    "GARNET",   "GECKO",    "GINGER",  "GLACIER", "GLOBE",   "GOOSE",   "GRANITE", "GRAPE",
    "GRAVEL",   "GROVE",    "GUITAR",  "HAMLET",  "HAMMER",  "HARBOR",  "HARP",    "HAZEL",
    "HELMET",   "HERON",    "HICKORY", "HILL",    "HONEY",   "HORIZON", "HORSE",   "ICICLE",
    "INDIGO",   "IRIS",     "IRON",    "ISLAND",  "IVORY",   "IVY",     "JACKET",  "JADE",
    "JAGUAR",   "JASMINE",  "JASPER",  "JIGSAW",  "JUNGLE",  "JUNIPER", "KAYAK",   "KERNEL",
    "KETTLE",   "KITE",     "KIWI",    "KOALA",   "LADDER",  "LAGOON",  "LANTERN", "LARCH",
    "LAUREL",   "LEMON",    "LILAC",   "LILY",    "LIME",    "LINEN",   "LION",    "LIZARD",
    "LLAMA",    "LOBSTER",  "LOTUS",   "MAGNET",  "MAGPIE",  "MANGO",   "MAPLE",   "MARBLE",
    "MEADOW",   "MELON",    "METAL",   "MINT",    "MIRROR",  "MITTEN",  "MOON",    "MOSS",
    "MOUNTAIN", "MUSTARD",  "NEEDLE",  "NICKEL",  "NUTMEG",  "OAK",     "OASIS",   "OCEAN",
    "OLIVE",    "ONION",    "OPAL",    "ORBIT",   "ORCHID",  "OTTER",   "OWL",     "OYSTER",
    "PADDLE",   "PALM",     "PANDA",   "PAPER",   "PARSLEY", "PEACH",   "PEAR",    "PEBBLE",
    "PELICAN",  "PENCIL",   "PEPPER",  "PIANO",   "PIGEON",  "PILLOW",  "PINE",    "PLANET",
    "PLUM",     "POCKET",   "POND",    "POPLAR",  "POPPY",   "PRISM",   "PUFFIN",  "PUMPKIN",
    "QUARTZ",   "QUILL",    "RABBIT",  "RADISH",  "RAIN",    "RAVEN",   "REED",    "RIBBON",
    "RIVER",    "ROBIN",    "ROCKET",  "ROSE",    "RUBY",    "SADDLE",  "SAFFRON", "SALMON",
    "SAND",     "SATIN",    "SEAL",    "SHADOW",  "SHELL",   "SILVER",  "SPARROW", "SPOON",
    "SPRUCE",   "SQUIRREL", "STAR",    "STONE",   "STORM",   "SUGAR",   "SUMMIT",  "SWAN",
    "TEAPOT",   "THISTLE",  "TIGER",   "TIMBER",  "TOPAZ",   "TULIP",   "TUNNEL",  "TURTLE",
    "VALLEY",   "VELVET",   "VIOLET",  "VIOLIN",  "WALNUT",  "WILLOW",  "WINTER",  "YARROW",
};

CheckWord check_word(const uint8_t random[2])
{
    CheckWord w;

    /* 100 does not divide 256: a slight preference is no harm in a word that people compare. */
    (void)snprintf(w.text, sizeof w.text, "%s-%02u", WORDS[random[0]], (unsigned)random[1] % 100);
    return w;
}
