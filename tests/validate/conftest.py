"""The networks of these tests are small: threads would wait for each other longer than they work."""

import pytest


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    import torch

    from iclrace.validate.networks.kernels import launch

    launch()
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
