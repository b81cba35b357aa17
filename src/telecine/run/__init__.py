"""Where the work is done: in this process, or in others of which one may die. May import only `core`."""
