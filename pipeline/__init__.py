"""What drives DVC: the run of a whole profile with its progress, the grid's experiments, the check of the
cache.

Stages are what DVC runs and src/brisc is what they are made of; neither knows DVC. This does, and so stands
beside them.
"""
