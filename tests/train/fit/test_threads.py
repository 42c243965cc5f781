from __future__ import annotations

import threading

import lightgbm as lgb
import numpy as np
import pytest
from mqbg.train.fit.threads import fit_side_by_side, linear_algebra_on_one_thread
from threadpoolctl import threadpool_info, threadpool_limits


def threads_of_blas():
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


def test_linear_algebra_takes_one_thread_inside_and_as_many_as_before_afterwards():
    with threadpool_limits(2, user_api="blas"):
        with linear_algebra_on_one_thread():
            inside = threads_of_blas()
        beside_each_other = list(fit_side_by_side(lambda _n, _t: threads_of_blas(), [1, 2], 2))
        assert [inside, *beside_each_other, threads_of_blas()] == [{1}, {1}, {1}, {2}]


@pytest.mark.parametrize(
    ("items", "threads", "each"), [(3, 1, 1), (3, 2, 1), (2, 8, 4), (3, 8, 2), (1, 5, 5)]
)
def test_the_threads_are_shared_out_among_the_fits(items, threads, each):
    given = list(fit_side_by_side(lambda _item, own: own, range(items), threads))
    assert given == [each] * items


def test_results_keep_the_order_of_the_items_whichever_is_done_first():
    second_done = threading.Event()

    def fit(item, _threads):
        if item == "first":
            assert second_done.wait(30)  # it runs beside the second, or never ends
        else:
            second_done.set()
        return item

    assert list(fit_side_by_side(fit, ["first", "second"], 2)) == ["first", "second"]


def test_a_model_that_goes_on_in_another_thread_prints_nothing(capfd):
    x = np.arange(60.0)[:, None]
    parameters = {"objective": "binary", "verbosity": -1, "min_data_in_leaf": 25, "num_threads": 1}
    data = lgb.Dataset(x, (x[:, 0] > 30).astype(float), free_raw_data=False)
    model = lgb.train(parameters, data, 5, keep_training_booster=True)

    def go_on(booster, _threads):
        for _round in range(100):  # soon no split gains anything
            booster.update()

    list(fit_side_by_side(go_on, [model], 1))
    assert capfd.readouterr() == ("", "")


def test_nothing_to_fit_gives_nothing():
    assert list(fit_side_by_side(lambda item, _threads: item, [], 2)) == []


def test_an_error_of_a_fit_is_raised():
    def fit(item, _threads):
        raise ValueError(item)

    with pytest.raises(ValueError, match="one"):
        list(fit_side_by_side(fit, ["one"], 2))
