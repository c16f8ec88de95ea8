"""Ordinary running text that `exp=unused_logits` reads when no file is named; written for this project."""

RUNNING_TEXT = """\
The harbour wakes before the town does. Lamps go on along the quay, one after the other, and the first boats come in
with their engines low. A woman in a yellow coat counts crates of fish and writes the numbers in a small book; her
brother carries ice. By six o'clock the market is open, and people who have just got up meet people who are about to
go to bed.

Nobody remembers who built the long wall. It keeps the waves away from the houses, and on calm days children walk
along the top of it with their arms stretched out. After the storm of last winter three stones were missing, and the
council argued for a month about whose job it was to put them back. In the end two fishermen did it on a Sunday,
without asking.

A recipe for bread needs very little: flour, water, salt and time. Mix the flour with most of the water and wait for
half an hour. Add the salt and the rest of the water, fold the dough a few times, and leave it alone until it has
doubled. Heat the oven as far as it goes. If the crust is dark and the bottom sounds hollow, the bread is ready; let
it cool before you cut it, however good it smells.

To use a function, call it with its arguments and keep the value that it returns. If the argument is not a number,
the function raises an error. The default is zero. This method returns a list of strings, or None if there is no
such name in the table. The following example opens a file, reads every line, and prints the ones that are longer
than the limit:

    def long_lines(path, limit=80):
        with open(path) as file:
            for number, line in enumerate(file, start=1):
                if len(line.rstrip()) > limit:
                    print(number, line.rstrip())

Trains used to stop here twice a day. The station is a library now; the ticket window is where you return your
books, and the waiting room has the best light in the building. On the wall hangs the last timetable. Sometimes a
visitor stands in front of it, reads the names of the villages aloud, and asks the librarian whether it is still
possible to get there. It is, she says, but you will have to walk.

Once upon a time there was a little girl who lived at the edge of a forest. She had a red ball and a brown dog. One
day the ball rolled down the hill and into the trees. The dog ran after it, and the girl ran after the dog. It was
dark between the trees, but she was not afraid, because she could hear the dog bark. When she found him, he was
sitting next to an old man who held the ball in his hands. "Is this yours?" the man asked. "Yes," said the girl.
"Thank you very much."
"""
