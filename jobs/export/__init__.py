"""The last phase: adapter and merged model, or the whole model, packaged, reloaded and compared with the trained."""
