"""Evaluations with known answers, without files."""

import numpy as np

from mien.report.evaluation import Answers, Evaluation

N = 120  # test images


def evaluation(right, raw_right, bpp, labels=None, ms_ssim=None, psnr=30.0):
    """Return a run that recognises exactly the images it is told to."""
    labels = np.arange(N) % 4 if labels is None else labels
    return Evaluation(
        labels=labels,
        decoded=answers(np.where(right, labels, 7)),
        raw=answers(np.where(raw_right, labels, 7)),
        temperature=2.0,
        n_bytes=np.full(N, 100),
        bpp=np.full(N, bpp),
        estimated_bpp=np.full(N, 0.9 * bpp),
        psnr=np.full(N, psnr),
        ms_ssim=ms_ssim,
        encode_seconds=np.full(N, 0.01),
        decode_seconds=np.full(N, 0.02),
    )


def answers(predictions):
    """Return answers that are all equally sure."""
    return Answers(predictions, 3 * np.eye(8)[predictions])
