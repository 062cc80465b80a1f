from collections.abc import Sequence

import torch
from torch import Tensor, nn

from latentspeech.core.lm.latent_lm import LatentLM
from latentspeech.core.lm.loss import decision_ids, latent_lm_loss
from latentspeech.core.lm.mixed_batch import MixedBatch, collate, pack
from latentspeech.core.lm.mixed_sequence import MixedSequence
from latentvision.mllm.documents.page import Page, Picture, Text
from latentvision.mllm.models.latent_lm import multimodal_lm_config
from latentvision.mllm.sequence import PageSequences
from tests.tiny_multimodal import TINY
from tests.tiny_pictures import picture


def model_of(sequences: PageSequences) -> LatentLM:
    torch.manual_seed(0)
    encoder = sequences.encoder
    config = multimodal_lm_config(
        sequences.vocabulary, encoder.num_latents, encoder.latent_dims[0], TINY
    )
    model = LatentLM(config)
    for parameter in model.parameters():  # heads begin with zeros, which would hide mistakes
        nn.init.normal_(parameter, std=0.2)
    return model.double()


def pages(sequences: PageSequences, *plans: str) -> list[MixedSequence]:
    """Sequences of pages; p is a picture, t a text, q a question, a an answer."""
    found = []
    for plan in plans:
        texts = {
            "t": Text("the cat"),
            "q": Text("What?", "question"),
            "a": Text("a mat", "answer"),
            "p": Picture("p", sequences.encoder.shrink(picture(0))),
        }
        page = Page(plan, "interleaved", tuple(texts[letter] for letter in plan))
        found.append(sequences.sequence(page, torch.Generator().manual_seed(len(plan))))
    return found


def batch_of(sequences: PageSequences, rows: Sequence[MixedSequence]) -> MixedBatch:
    batch = collate(rows, sequences.encoder.latent_dims)
    batch.latents = tuple(latents.double() for latents in batch.latents)
    return batch


def test_a_state_sees_the_picture_before_it_and_never_its_target(sequences: PageSequences) -> None:
    model = model_of(sequences)
    batch = batch_of(sequences, pages(sequences, "tpt"))
    latents = batch.latents[0].requires_grad_()  # (16, 5)
    hidden = model(batch)[0]  # (T, d)
    places = (batch.kinds[0] == 1).nonzero().flatten().tolist()

    def seen(place: int) -> Tensor:
        """The latents on which the state at a place depends."""
        (gradient,) = torch.autograd.grad(hidden[place].sum(), latents, retain_graph=True)
        return gradient.abs().sum(dim=1).nonzero().flatten()

    for order, place in enumerate(places):
        assert seen(place - 1).tolist() == list(range(order))
    assert seen(places[-1] + 1).tolist() == list(range(16))


def test_the_loss_is_on_what_the_sequence_marks(sequences: PageSequences) -> None:
    model = model_of(sequences)
    batch = batch_of(sequences, pages(sequences, "pqaqa", "pt"))
    loss = latent_lm_loss(model, batch, torch.Generator().manual_seed(0))
    encode = sequences.tokenizer.encode
    answers = 2 * len(encode("a mat")) + 1 + 1  # the second question's mark, page_end
    # BOI of both pages, the answers, the text and its page_end; EOI must come and has no loss.
    assert loss.num_tokens == 2 + answers + len(encode("the cat")) + 1
    assert loss.num_latents == (32,)
    ids, choice = decision_ids(model, batch)
    eoi = batch.token_ids == sequences.vocabulary.eoi
    assert int(eoi.sum()) == 2
    assert not bool(choice[eoi].any())
    assert int(ids.max()) < sequences.vocabulary.size


def test_reading_costs_the_same_with_pictures_to_draw_in_the_batch(
    sequences: PageSequences,
) -> None:
    """The token loss of reading pages is the same beside pages that draw: no noised copies."""
    model = model_of(sequences)
    dims = sequences.encoder.latent_dims
    read, drawn = pages(sequences, "pqa", "tp")

    def nats(*rows: MixedSequence) -> Tensor:
        batch = pack(rows, dims, 128)
        batch.latents = tuple(latents.double() for latents in batch.latents)
        loss = latent_lm_loss(model, batch, torch.Generator().manual_seed(0))
        return loss.token * loss.num_tokens

    torch.testing.assert_close(nats(read, drawn), nats(read) + nats(drawn))


def test_prefill_and_steps_equal_the_whole_page(sequences: PageSequences) -> None:
    model = model_of(sequences)
    batch = batch_of(sequences, pages(sequences, "tpqa"))
    x = model.embed(batch)
    whole = model.backbone(x)
    state = model.backbone.init_state(1, x.shape[1])
    first, state = model.backbone.step(x[:, :12], state)  # ends within the picture
    parts = [first]
    for place in range(12, x.shape[1]):
        hidden, state = model.backbone.step(x[:, place : place + 1], state)
        parts.append(hidden)
    torch.testing.assert_close(torch.cat(parts, dim=1), whole, rtol=1e-9, atol=1e-9)


def test_packed_pages_do_not_see_each_other(sequences: PageSequences) -> None:
    model = model_of(sequences)
    rows = pages(sequences, "tp", "pqa")
    alone = [model(batch_of(sequences, [row]))[0] for row in rows]
    packed = pack(rows, sequences.encoder.latent_dims, 128)
    packed.latents = tuple(latents.double() for latents in packed.latents)
    assert len(packed.kinds) == 1
    together = model(packed)[0]
    longest_first = sorted(alone, key=len, reverse=True)
    torch.testing.assert_close(together, torch.cat(longest_first), rtol=1e-9, atol=1e-9)
