"""The coordinator: releases each phase's Job when the one before it has finished."""
