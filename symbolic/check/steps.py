"""The plan: what the child calls in a student's file, in small steps written as JSON.

The parent writes the plan (`interfaces`), `Machine` below walks through it inside the child. A plan is
``{"steps": [step, ...]}``. Everything a step makes is kept under a name; the names known from the start are ``np``,
``operator``, ``builtins``, ``copy``, and each preloaded module (``torch``).

A **path** names a value: a kept name, then attributes, entries and keys: ``file.backward``, ``net.W1``, ``r1[0]``,
``grads['dW1']``, ``net.layers[0].W``.

A **value** is one of

* a JSON number, string, boolean or null: itself;
* ``{"input": "X"}``: a fresh copy of the array that the parent sent as ``X``; with ``"as": "list"`` nested Python lists, with
  ``"as": "number"`` one Python number;
* ``{"saved": "r1[0]"}``: the value at a path, the very same object each time;
* ``{"list": [value, ...]}``, ``{"tuple": [value, ...]}``, ``{"dict": {"W1": value}}``;
* ``{"copy": value}``: a deep copy;
* ``{"call": "operator.mul", "args": [value, ...], "kwargs": {"axis": value}}``: what a call returns.

A **step** is one of

* ``{"do": "load", "save": "file", "source": "...", "before": "...", "names": {"lr": value}, "watch": {...}}``: runs the student's
  file as a module called ``student`` (so what stands under ``if __name__ == "__main__"`` does not run) and keeps it. All but ``do`` may be left out:
  ``save`` is ``file``; ``source`` is text to run in place of the file; ``before`` is source of ours that runs first in the same module (helpers that the file lacks);
  ``names`` are values put into the module before it runs.
* ``{"do": "call", "target": "file.backward", "args": [...], "kwargs": {...}, "save": "r1", "watch": {...}}``: calls what the path names
  (a function, a class, a method). Inputs that the call changed in place are reported: ``changed``.
* ``{"do": "let", "save": "net2", "value": value}``: keeps a value.
* ``{"do": "set", "path": "net.W1", "value": value}``: sets an attribute, an entry or a key; an array of the same shape is replaced, not written into.
* ``{"do": "get", "value": value, "as": "p0/dW1"}``: sends one array back under that key (a number is an array of shape ()).
* ``{"do": "gather", "value": value, "as": "p0/r"}``: sends every array and number within the value back, through tuples, lists, dictionaries and
  the attributes of objects of the student's own classes; the key is ``as`` followed by the path: ``p0/r[0]``, ``p0/r['dW1']``, ``p0/r.W1``.
  The step's report lists what was found that is no number (``left``: path and type).

Every step may carry

* ``"point": 3``: steps with the same point belong together: after one fails, the rest of that point is skipped and the other
  points go on. When a step without a point fails, all later steps are skipped.
* ``"optional": true``: its failure is reported but skips nothing.
* ``"watch": {"function": "train", "names": ["dW1", "db1"], "at": "return", "stop": true, "save": "seen"}`` (load and call): keeps a dictionary
  with copies of local variables of a function of the file (``<module>`` for a script): ``at`` is ``"return"`` (at its first return),
  ``"first"`` (each name when it is first bound), or a line number (just before that line first runs, or when it returns, whichever is sooner).
  With ``stop`` the call is broken off once all names are seen (a training loop need not end), and the step counts as done.

The report of a step is ``{"step": 4, "status": "done" | "failed" | "skipped"}``, with ``changed``, ``left``, or for a failure ``type``,
``message``, and ``line`` and ``function`` in the student's file (0 and "" when the failure is not in it).
"""
