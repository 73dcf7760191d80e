"""Texts → tuned encoders: classifiers that train the encoder, too (`synaug.classifier.FineTuned`)."""
