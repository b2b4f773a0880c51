"""One model that sees and draws: two ways into one language model, and two ways out (Janus-Pro, Chen et al. 2025).

Text comes in through the backbone's table. An image to understand comes in through a vision encoder and an adaptor, as
soft tokens; an image to draw is a raster of codes of a visual tokenizer, which come in through a table and an adaptor
of their own. Out of one causal transformer go two heads: over words and over codes.

    config             shapes: TINY, JANUS_1B3, JANUS_PRO_1B, JANUS_PRO_7B
    visual_tokenizer   images to codes and back        text_tokenizer  text to tokens and back, special ids by name
    model              the whole                       initial         weights to begin from
    templates          a conversation as text          layout          conversations, prompts and codes as sequences
    losses             of text and of codes, by task   pictures        files and images to pixels and back
    names, reading, checkpoints                        both published layouts of weights, read and written
    sampling, decoding, drawing, answering             from prompts to images, from images to words
"""
