"""The tuned model as other programs take it: adapter, merged model, model card, and the proof that they load."""
