"""The cache never holds more bytes than its limit, and drops what was used least recently."""

from hypothesis import given
from hypothesis import strategies as st

from server.caches import ByteLimitedCache

keys = st.sampled_from("abcdef")
actions = st.lists(st.tuples(keys, st.none() | st.binary(max_size=12)), max_size=60)


@given(actions, st.integers(0, 30))
def test_it_behaves_as_a_list_ordered_by_use(steps, limit):
    cache = ByteLimitedCache(limit, len)
    model = {}  # in order of use
    for key, value in steps:
        if value is None:
            assert cache.get(key) == model.get(key)
            if key in model:
                model[key] = model.pop(key)
            continue
        cache.put(key, value)
        model.pop(key, None)
        if len(value) <= limit:
            model[key] = value
        while sum(map(len, model.values())) > limit:
            del model[next(iter(model))]
        assert cache.size == sum(map(len, model.values())) <= limit
        assert len(cache) == len(model)
        assert all(name in cache for name in model)
