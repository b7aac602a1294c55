"""The last phase: the adapter and the merged model, packaged, reloaded and compared with the trained model."""
