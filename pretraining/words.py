"""Everyday English words for labels, from which the tokenizer learns its merges; written by hand for this purpose.

They keep the answers short for usual labels. Any other label, in any script, is spelled in bytes or word pieces.
"""

WORDS: tuple[str, ...] = tuple(
    """
    person man woman child boy girl baby face head hand arm leg foot eye hair player driver rider worker people crowd
    bicycle car motorcycle airplane bus train truck boat ship van taxi tram tractor trailer scooter wheel tire engine
    road street lane sidewalk bridge traffic light sign signal hydrant meter bench fence gate wall door window roof
    house building tower tree plant flower grass leaf branch bush forest field hill mountain rock stone sand water
    river lake sea wave sky cloud sun moon snow rain fire smoke bird cat dog horse sheep cow elephant bear zebra
    giraffe rabbit mouse rat fox wolf deer lion tiger monkey pig goat duck chicken goose eagle fish shark whale
    turtle snake frog spider ant bee butterfly insect animal backpack umbrella handbag bag tie suitcase hat cap
    helmet glove shoe boot sock shirt coat jacket dress skirt trousers belt scarf glasses ring necklace frisbee ski
    snowboard ball kite bat glove skateboard surfboard racket goal net bottle glass cup fork knife spoon bowl plate
    pan pot kettle jar can lid tray basket box bin bucket barrel banana apple orange lemon grape pear peach melon
    berry carrot potato tomato onion pepper cucumber bean corn mushroom broccoli salad bread cake pizza sandwich
    burger donut cookie egg cheese meat rice soup chair sofa couch table desk bed shelf cabinet drawer lamp mirror
    curtain carpet pillow blanket towel toilet sink bath shower tap television screen monitor laptop computer
    keyboard mouse remote phone camera tablet speaker radio clock watch microwave oven toaster refrigerator stove
    fan heater washer vacuum book paper pen pencil marker ruler scissors tape glue stapler folder envelope stamp
    card map picture painting photo frame poster toy doll robot balloon puzzle dice coin key lock chain rope wire
    cable plug switch battery bulb tool hammer saw drill wrench screwdriver screw nail bolt nut gear spring pipe
    valve pump hose ladder brush broom mop needle thread button cloth thing object item piece part package parcel
    container crate pallet forklift crane drone helicopter rocket satellite machine device sensor label tag logo
    letter number word text line point shape block cube ball cone cylinder sphere circle oval square rectangle
    triangle star cross diamond heart crescent arrow hexagon semicircle pentagon cell tissue tumor lesion organ bone
    tooth vehicle pedestrian cyclist lane crack defect scratch hole stain damage vessel bag tent flag candle
    red orange yellow green blue purple pink brown black white grey silver gold dark light small large big little
    long short round flat old new left right top bottom front back upper lower first second open closed empty full
    """.split()  # noqa: SIM905  four hundred quoted words would be no easier to read
)
