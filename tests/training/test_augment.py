import torch

from mien.share import Share
from mien.training import augment


def test_equal_steps_give_equal_changes_and_other_steps_others():
    images = torch.randint(0, 256, (16, 3, 8, 8), dtype=torch.uint8)
    first, again, other = (
        augment.cropped(augment.flipped(images, random), 4, random)
        for random in (
            augment.generator(1, 5),
            augment.generator(1, 5),
            augment.generator(1, 6),
        )
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_flipping_mirrors_about_half_left_to_right():
    images = torch.arange(8).repeat(200, 3, 1, 1)
    flipped = augment.flipped(images, augment.generator(0, 0))
    mirrored = (flipped[:, 0, 0, 0] == 7).sum().item()
    assert 70 < mirrored < 130
    assert torch.equal(flipped.sort(dim=-1).values, images)


def test_crops_are_windows_of_their_own_picture():
    images = torch.arange(5 * 36).reshape(5, 1, 6, 6).expand(5, 3, 6, 6)
    for index, window in enumerate(augment.cropped(images, 4, augment.generator(3, 1))):
        top_left = int(window[0, 0, 0]) - 36 * index
        top, left = divmod(top_left, 6)
        assert torch.equal(window, images[index, :, top : top + 4, left : left + 4])


def test_shifts_move_a_picture_as_a_whole_and_repeat_its_edges():
    images = torch.arange(64, dtype=torch.uint8).reshape(1, 1, 8, 8).repeat(60, 3, 1, 1)
    moves = set()
    for moved in augment.shifted(images, 2, augment.generator(3, 1)):
        down, right = divmod(int(moved[0, 4, 4]) - 36 + 18, 8)
        down, right = down - 2, right - 2
        moves.add((down, right))
        rows = (torch.arange(8) + down).clamp(0, 7)
        columns = (torch.arange(8) + right).clamp(0, 7)
        assert torch.equal(moved, images[0][:, rows][:, :, columns])
    assert {abs(step) for move in moves for step in move} == {0, 1, 2}
    assert len(moves) > 20


def test_shares_of_a_batch_are_shifted_as_the_whole_batch_is():
    images = torch.randint(0, 256, (8, 3, 8, 8), dtype=torch.uint8)
    whole = augment.shifted(images, 2, augment.generator(0, 7))
    parts = [
        augment.shifted(images[share.part(8)], 2, augment.generator(0, 7), share)
        for share in (Share(0, 2), Share(1, 2))
    ]
    assert torch.equal(torch.cat(parts), whole)
