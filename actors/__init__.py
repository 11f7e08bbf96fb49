"""The work itself; `process` wires it together.

Rooms: publish (the relay), render (the PDF's actor), pdf (how it looks), artifacts (where it is kept), deliver (callbacks),
desk (what operators start), housekeeping (the leader's duties), process.
"""
