"""Whose name a run has: one that a person gave it stays, one that was made up gives way to its plan's.

Neither the server nor the form say whether a person chose a name, so it is known by its words. The server
makes one of an adjective and an animal, by coolname: `quiet-fox`. The form fills another one in before a
person types: `Practical-Yak`. What these words do not explain is taken for a person's; so are the stars of
the UI before version 2, `zeta5-sirius`, of which there are too many.
"""

import re
from functools import cache
from typing import Any

from coolname.data import config as coolname_words

_ADJECTIVES = """
Awesome Rustic Small Gorgeous Fantastic Sleek Intelligent Unbranded Refined Licensed Generic
Practical Ergonomic Handcrafted Tasty Handmade Incredible
"""
"""The first words of a name by the form."""
_ANIMALS = """
Addax Aidi Ainu Akbash Akita Alabai Alpaca Alusky Ant Ape Asp Avocet Baboon Badger Baiji Barb Barbet
Bass Bat Baya Beagle Beago Bear Beaski Beaver Bee Beetle Bichir Bilby Bird Birman Bison Boas Bobcat
Boggle Boiga Bombay Bongo Bonobo Booby Borkie Bowfin Boxsky Briard Brug Caiman Camel Cantil Carp Cat
Chipit Chipoo Chiton Chusky Cicada Coati Cobras Cockle Collie Conure Coral Corkie Cougar Cow Coyote
Crab Crane Crow Cuckoo Cuscus Daniff Danios Daug Deer Dhole Dingo Discus Dodo Dog Donkey Dorgi
Dorkie Douc Doxle Drever Duck Dugong Dunker Eagle Earwig Eel Egret Eider Eland Elk Emu Ermine Eryops
Falcon Feist Ferret Fish Flea Fly Fossa Fox Frog Frug Gar Gecko Genet Gerbil Gibbon Gnat Goat Gollie
Goose Gopher Grebe Grouse Guppy Hare Hawk Heron Hoopoe Horgi Hornet Horse Human Husky Hyena Ibex
Ibis Iguana Impala Indri Insect Jabiru Jacana Jackal Jaguar Jerboa Kagu Kakapo Kea Keagle Kishu Kiwi
Koala Kodkod Koolie Kowari Krait Krill Kudu Kuvasz Leech Lemur Liger Limpet Linnet Lion Lizard Llama
Loach Locust Loris Lynx Macaw Maggot Magpie Malchi Mamba Marmot Mauzer Mayfly Meagle Miki Mink Mole
Molly Monkey Moose Morkie Moth Mouse Mudi Mule Muskox Newt Nilgai Numbat Nutria Nyala Ocelot Okapi
Olingo Olm Onager Opah Oribi Osprey Otter Owl Ox Oyster Parrot Peagle Pig Pigeon Pika Pitsky Pomchi
Pomsky Poodle Poogle Possum Potoo Prawn Puffin Pug Puggle Puli Puma Pumi Python Quagga Quail Quokka
Quoll Rabbit Raggle Rat Rhea Robin Sable Saiga Salmon Saluki Sambar Saola Seal Serval Shark Sheep
Shichi Shrew Shrimp Skua Skunk Sloth Slug Snail Snake Somali Sphynx Spider Sponge Squid Stoat Stork
Swan Taipan Takin Tang Tapir Tarpon Tetra Thrush Tick Tiger Torkie Tosa Toucan Towhee Trout Tuna
Turaco Turkey Uakari Uguisu Unau Urial Vicuña Viper Vizsla Vole Walrus Wasp Weasel Wolf Wombat Worm
Wrasse Xeme Xerus Yak Yarara Zebra Zebu Zokor Zonkey Zorse Zuchon
"""
"""The second ones: those of at most six letters."""


def is_made_up(name: str) -> bool:
    """Whether no person gave a run this name."""
    first, _, second = name.partition("-")
    if first in _ADJECTIVES.split() and second in _ANIMALS.split():
        return True
    return first in _coolname_words("adj_any") and second in _coolname_words("subj")


def is_of_a_plan(name: str) -> bool:
    """Whether a run was named after a plan before: it was started again, or a source less is planned."""
    return re.fullmatch(r".+@[0-9a-f]{8} .+", name) is not None


@cache
def _coolname_words(entry: str) -> frozenset[str]:
    """The words of an entry of coolname's, and of those that it is made of."""
    known: dict[str, Any] = coolname_words
    about = known.get(entry, {})  # a later coolname may name it otherwise: names then stay
    nested = (_coolname_words(one) for one in about.get("lists", ()))
    return frozenset(about.get("words", ())).union(*nested)
